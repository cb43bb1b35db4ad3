// Package sigstack keeps Go's signal handling alive in a process whose C libraries
// install signal handlers of their own.
package sigstack

/*
#include <signal.h>

// use_signal_stack adds SA_ONSTACK to the handlers that lack it, and returns how many.
static int use_signal_stack(void) {
	int changed = 0;
	for (int signum = 1; signum < NSIG; signum++) {
		struct sigaction action;
		if (sigaction(signum, NULL, &action) || action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN || (action.sa_flags & SA_ONSTACK))
			continue;
		action.sa_flags |= SA_ONSTACK;
		if (!sigaction(signum, &action, NULL))
			changed++;
	}
	return changed;
}
*/
import "C"

// Use makes every signal handler of the process run on the signal stack, as Go needs
// it (os/signal, "Go programs that use cgo or SWIG"), and returns for how many that
// is new. Handlers stay whose they are. CUDA's driver installs some without when it is
// first used and passes on to Go's what is not for it: call Use after that, or the next
// nil dereference or SIGTERM ends the process.
func Use() int { return int(C.use_signal_stack()) }
