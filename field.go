package ascood

import (
	"errors"
	"fmt"
	"strings"
)

// Field names a setting in the text of an error, as configuration files do:
// "alpha_min". A command, whose user knows settings by its flags, says so with
// Describe.
type Field string

// In says of which setting an error is. Its code stays.
func In(f Field, err error) error { return Errorf(CodeOf(err), "%s: %w", f, err) }

// Describe returns the text of an error with each Field in it, also of its causes,
// replaced by what name says.
func Describe(err error, name func(Field) string) string {
	if e, ok := err.(*Error); ok && e.format != "" {
		return e.describe(name)
	}
	text := err.Error()
	for _, cause := range causes(err) {
		text = strings.Replace(text, cause.Error(), Describe(cause, name), 1)
	}
	return text
}

// describe formats the message anew.
func (e *Error) describe(name func(Field) string) string {
	args := make([]any, len(e.args))
	for i, arg := range e.args {
		switch arg := arg.(type) {
		case Field:
			args[i] = name(arg)
		case error:
			args[i] = errors.New(Describe(arg, name))
		default:
			args[i] = arg
		}
	}
	return fmt.Errorf(e.format, args...).Error()
}

// causes returns the errors that err wraps.
func causes(err error) []error {
	switch err := err.(type) {
	case interface{ Unwrap() []error }:
		return err.Unwrap()
	case interface{ Unwrap() error }:
		if cause := err.Unwrap(); cause != nil {
			return []error{cause}
		}
	}
	return nil
}
