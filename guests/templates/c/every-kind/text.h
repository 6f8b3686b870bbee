/* Texts and failures, thinly over the bindings.
 *
 * What a function answers lies on the heap, because the bindings free it once the host has read it; a literal there
 * would break the heap. What it was given, and what it asked for, nobody frees: the instance ends with the call. */
#ifndef TEXT_H
#define TEXT_H

#include "bindings/backend.h"

/* Has a length, and no NUL at its end. */
typedef backend_string_t text;

typedef drivebay_driver_types_error_t error;

/* A literal, to be read. */
#define T(literal) ((text){(uint8_t *)(literal), sizeof(literal) - 1})

/* Texts one after the other, on the heap. Not printf's work: stdio would bring WASI along. */
#define JOIN(...) join_texts((const text[]){__VA_ARGS__}, sizeof((const text[]){__VA_ARGS__}) / sizeof(text))

/* A failure: FAIL(err, NOT_FOUND, T("no volume "), id). The condition is a case of the contract's error; the sentence
 * is for the operator. It is false, as what functions return that fail. */
#define FAIL(err, condition, ...) fail(err, DRIVEBAY_DRIVER_TYPES_ERROR_##condition, JOIN(__VA_ARGS__))

text join_texts(const text *parts, size_t count);

bool fail(error *err, uint8_t condition, text sentence);

bool equal(text one, text other);

/* What a class or a volume says under that name. */
text parameter(const drivebay_driver_types_parameters_t *parameters, text name, text otherwise);

/* Memory on the heap. There is nothing to be done without. */
void *allocate(size_t size);

/* A line for the operator. */
void tell(text line);

#endif
