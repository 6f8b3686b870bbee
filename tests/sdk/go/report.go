package main

import (
	"fmt"
	"reflect"
	"strings"
)

// report prints one line a check, as `cargo xtask test` counts them, and counts at the end.
type report struct {
	passed, failed int
}

// check is one: the sentence holds if what is done neither fails nor panics.
func (r *report) check(sentence string, act func() error) {
	err := caught(act)
	if err == nil {
		r.passed++
		fmt.Println("ok - " + sentence)
		return
	}
	r.failed++
	reason := strings.Join(strings.Fields(err.Error()), " ")
	fmt.Printf("not ok - %s: %.500s\n", sentence, reason)
}

// end prints the counts and answers the exit code.
func (r *report) end() int {
	fmt.Printf("%d passed, %d failed\n", r.passed, r.failed)
	if r.failed > 0 || r.passed == 0 {
		return 1
	}
	return 0
}

// caught makes an error of a panic: a list is shorter than expected, say, or the SDK itself trips over an answer.
func caught(act func() error) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("panic: %v", problem)
		}
	}()
	return act()
}

func equal(actual, expected any) error {
	if reflect.DeepEqual(actual, expected) {
		return nil
	}
	return fmt.Errorf("expected %#v, got %#v", expected, actual)
}

func holds(condition bool, otherwise any) error {
	if condition {
		return nil
	}
	return fmt.Errorf("found %v", otherwise)
}

// all answers the first error.
func all(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
