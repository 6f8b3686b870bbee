// Package host makes errors of what the host answers, and answers of errors.
package host

import (
	"backend/bindings/drivebay_driver_log"
	contract "backend/bindings/drivebay_driver_types"
	"backend/condition"

	wit "go.bytecodealliance.org/pkg/wit/types"
)

// Result is how each function of the contract ends.
type Result[T any] = wit.Result[T, contract.Error]

// Done is the result of one that returns nothing.
type Done = Result[wit.Unit]

// By their numbers in the bindings.
var cases = [...]struct {
	condition condition.Condition
	make      func(string) contract.Error
	sentence  func(contract.Error) string
}{
	contract.ErrorInvalidArgument: {
		condition.InvalidArgument, contract.MakeErrorInvalidArgument, contract.Error.InvalidArgument,
	},
	contract.ErrorOutOfRange: {
		condition.OutOfRange, contract.MakeErrorOutOfRange, contract.Error.OutOfRange,
	},
	contract.ErrorNotFound: {
		condition.NotFound, contract.MakeErrorNotFound, contract.Error.NotFound,
	},
	contract.ErrorAlreadyExists: {
		condition.AlreadyExists, contract.MakeErrorAlreadyExists, contract.Error.AlreadyExists,
	},
	contract.ErrorInProgress: {
		condition.InProgress, contract.MakeErrorInProgress, contract.Error.InProgress,
	},
	contract.ErrorUnavailable: {
		condition.Unavailable, contract.MakeErrorUnavailable, contract.Error.Unavailable,
	},
	contract.ErrorExhausted: {
		condition.Exhausted, contract.MakeErrorExhausted, contract.Error.Exhausted,
	},
	contract.ErrorFailedPrecondition: {
		condition.FailedPrecondition, contract.MakeErrorFailedPrecondition, contract.Error.FailedPrecondition,
	},
	contract.ErrorDenied: {
		condition.Denied, contract.MakeErrorDenied, contract.Error.Denied,
	},
	contract.ErrorUnsupported: {
		condition.Unsupported, contract.MakeErrorUnsupported, contract.Error.Unsupported,
	},
	contract.ErrorInternal: {
		condition.Internal, contract.MakeErrorInternal, contract.Error.Internal,
	},
}

// Answered is what the host said: a value, or an error of its condition.
func Answered[T any](result Result[T]) (T, error) {
	if result.IsOk() {
		return result.Ok(), nil
	}
	var none T
	err := result.Err()
	found := cases[err.Tag()]
	return none, found.condition.Errorf("%s", found.sentence(err))
}

// Failed is what the host said of what returns nothing.
func Failed(result Done) error {
	_, err := Answered(result)
	return err
}

// Answer gives the host a value, or an error as its condition.
func Answer[T any](value T, err error) Result[T] {
	if err == nil {
		return wit.Ok[T, contract.Error](value)
	}
	of := condition.Of(err)
	for _, known := range cases {
		if known.condition == of {
			return wit.Err[T](known.make(err.Error()))
		}
	}
	return wit.Err[T](contract.MakeErrorInternal(err.Error()))
}

// Finish gives the host success, or an error as its condition.
func Finish(err error) Done {
	return Answer(wit.Unit{}, err)
}

// Log writes a line for the operator.
func Log(message string) {
	drivebay_driver_log.Write(drivebay_driver_log.LevelInfo, message)
}
