package ascood

import (
	"errors"
	"fmt"
)

// Code classifies an error by what its receiver can do about it.
type Code string

const (
	Invalid     Code = "invalid"     // the input is wrong; the message says what would be right
	TooLarge    Code = "too_large"   // the input exceeds a limit that the message names
	Unsupported Code = "unsupported" // the input is of a kind that is not handled
	Busy        Code = "busy"        // the same request may succeed later
	Unavailable Code = "unavailable" // something the request needs is missing (a device, a library)
	Internal    Code = "internal"    // a fault of ours; details are for the log only
)

// Codes returns every code, for tables that must have an entry for each.
func Codes() []Code {
	return []Code{Invalid, TooLarge, Unsupported, Busy, Unavailable, Internal}
}

// Error is a failure with a code and a message fit for the person who caused it.
type Error struct {
	Code    Code
	Message string
	Err     error // the cause, if any; already part of Message

	format string // of Message, for Describe
	args   []any
}

// Error returns the message without the code.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an *Error with the given code. As in fmt.Errorf, an operand of
// a %w verb becomes the cause. Settings are named by operands of type Field.
func Errorf(code Code, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{code, err.Error(), errors.Unwrap(err), format, args}
}

// CodeOf returns the code of the first *Error in err's chain, Internal if there
// is none, and "" for a nil err.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}
