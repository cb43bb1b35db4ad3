package scoring

import (
	"fmt"
	"runtime/debug"
)

// Guard turns a panic of f into an internal error that carries the stack.
func Guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}
