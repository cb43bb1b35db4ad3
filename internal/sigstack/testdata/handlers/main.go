// Command handlers installs C handlers that run on whatever stack there is and pass
// signals on to Go's, as CUDA's driver does, and then needs Go's: for "nil" it
// recovers a nil dereference, for "term" it waits for SIGTERM. "use" before that
// calls sigstack.Use.
package main

/*
#include <signal.h>
#include <string.h>

static struct sigaction before[NSIG];

static void pass_on(int signum, siginfo_t *info, void *context) {
	before[signum].sa_sigaction(signum, info, context);
}

static void install(int signum) {
	struct sigaction action;
	memset(&action, 0, sizeof action);
	action.sa_sigaction = pass_on;
	action.sa_flags = SA_SIGINFO;
	sigaction(signum, &action, &before[signum]);
}
*/
import "C"

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"

	"github.com/ascood/ascood/internal/sigstack"
)

func main() {
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	C.install(C.SIGSEGV)
	C.install(C.SIGTERM)
	if slices.Contains(os.Args, "use") {
		fmt.Println("changed", sigstack.Use(), sigstack.Use())
	}
	if slices.Contains(os.Args, "nil") {
		dereference(nil)
		return
	}
	// To this thread, which is on a goroutine's stack; others may be on the system's.
	runtime.LockOSThread()
	syscall.Tgkill(syscall.Getpid(), syscall.Gettid(), syscall.SIGTERM)
	fmt.Println("told of", <-terminate)
}

func dereference(p *int) {
	defer func() { fmt.Println("recovered", recover() != nil) }()
	fmt.Println(*p)
}
