// Package condition has what can go wrong, as the contract names it: an error is a condition with a sentence for the
// operator, and every other error is a bug.
package condition

import (
	"errors"
	"fmt"
)

// Condition is a case of the contract's error; wit/ says what each means.
type Condition string

// All of them.
const (
	InvalidArgument    Condition = "invalid-argument"
	OutOfRange         Condition = "out-of-range"
	NotFound           Condition = "not-found"
	AlreadyExists      Condition = "already-exists"
	InProgress         Condition = "in-progress"
	Unavailable        Condition = "unavailable"
	Exhausted          Condition = "exhausted"
	FailedPrecondition Condition = "failed-precondition"
	Denied             Condition = "denied"
	Unsupported        Condition = "unsupported"
	Internal           Condition = "internal"
)

type failure struct {
	condition Condition
	sentence  string
}

func (failed *failure) Error() string {
	return failed.sentence
}

// Errorf makes an error of that condition.
func (condition Condition) Errorf(format string, values ...any) error {
	return &failure{condition, fmt.Sprintf(format, values...)}
}

// Is says whether an error is of that condition.
func (condition Condition) Is(err error) bool {
	return err != nil && Of(err) == condition
}

// Of is an error's condition, also of one that was wrapped; Internal where it has none.
func Of(err error) Condition {
	var failed *failure
	if errors.As(err, &failed) {
		return failed.condition
	}
	return Internal
}
