package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
)

// export makes an artifact of the reference network, calibrated on the photographs.
func export(ctx context.Context, o options, photos string, stderr io.Writer) error {
	command := exec.CommandContext(ctx, filepath.Join(o.bin, "ascood-export"),
		"--checkpoint", "testdata/nets/ascood-resnet18_224x224.safetensors", "--arch", "resnet18_224x224",
		"--preprocess", "imagenet", "--calibrate", photos, "--output", o.model)
	command.Stderr = stderr
	return command.Run()
}

// server is ascood-serve as a process of its own.
type server struct {
	process *os.Process
	url     string
	ended   chan error
}

// start starts it on a free port, with the settings that it has by default but for those given.
func start(ctx context.Context, o options, stderr io.Writer) (*server, error) {
	command := exec.CommandContext(ctx, filepath.Join(o.bin, "ascood-serve"),
		append([]string{"--model", o.model, "--addr", "127.0.0.1:0", "--log-format", "json", "--timeout", o.timeout.String()}, o.server...)...)
	log, err := command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	s := &server{command.Process, "", make(chan error, 1)}
	lines := bufio.NewScanner(log)
	for s.url == "" && lines.Scan() {
		var line struct{ Msg, Addr string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
			s.url = "http://" + line.Addr
		} else if line.Msg == "" {
			fmt.Fprintln(stderr, lines.Text())
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, log)
		s.ended <- command.Wait()
	}()
	if s.url == "" {
		return nil, fmt.Errorf("the server did not start: %w", <-s.ended)
	}
	return s, nil
}

func (s *server) stop() {
	_ = s.process.Signal(syscall.SIGTERM)
	<-s.ended
}

// peak is the most memory that it has had, MiB; 0 if the system does not tell.
func (s *server) peak() int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.Pid))
	match := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if err != nil || match == nil {
		return 0
	}
	kilobytes, err := strconv.Atoi(string(match[1]))
	if err != nil {
		return 0
	}
	return kilobytes >> 10
}
