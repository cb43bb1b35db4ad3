package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/study"
)

// patience is how long a program may take to end once it is told to: a training finishes
// its step and saves.
const patience = 5 * time.Minute

// hold makes the study's folder and keeps other studies out of it, for as long as the file
// is open in this process or in a program that it has started and that outlives it.
func hold(folder string) (*os.File, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "--output: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(folder, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "--output: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, ascood.Errorf(ascood.Busy, "another study is at work in %s", folder)
	}
	return lock, nil
}

// programs runs the programs of a folder, that of this one if it is empty.
func programs(folder string, lock *os.File) (study.Program, error) {
	if folder == "" {
		own, err := os.Executable()
		if err != nil {
			return nil, err
		}
		folder = filepath.Dir(own)
	}
	for _, name := range study.Programs() {
		if _, err := exec.LookPath(filepath.Join(folder, name)); err != nil {
			return nil, ascood.Errorf(ascood.Unavailable, "--programs: %w; make build puts the programs into one folder", err)
		}
	}
	return func(ctx context.Context, name string, args []string, log io.Writer) error {
		c := exec.CommandContext(ctx, filepath.Join(folder, name), args...)
		c.Stdout, c.Stderr = log, log
		if lock != nil {
			c.ExtraFiles = []*os.File{lock}
		}
		// Ctrl-C on a terminal reaches all of a process group, and a second signal ends a
		// program before it has saved: it is to hear of one from here alone.
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
		c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
		c.WaitDelay = patience
		runtime.LockOSThread() // Pdeathsig is sent when the thread ends that started the program
		defer runtime.UnlockOSThread()
		return c.Run()
	}, nil
}
