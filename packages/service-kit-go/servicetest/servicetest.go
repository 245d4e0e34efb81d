// Package servicetest runs a service's program in its tests.
package servicetest

import (
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Build makes the program of the package in the current folder, and returns its path.
func Build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "server")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// Ended runs a program to its end, with these variables alone, and returns its exit code and what it wrote to stderr.
func Ended(t *testing.T, variables []string, program string, arguments ...string) (int, string) {
	t.Helper()
	command := exec.Command(program, arguments...)
	command.Env = variables
	var text strings.Builder
	command.Stderr = &text
	return Code(command.Run()), text.String()
}

// Code is the exit code of a program that has ended; 0 for nil, -1 for one that could not be started.
func Code(err error) int {
	var ended *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended):
		return ended.ExitCode()
	}
	return -1
}

// FreePort is a port of the loopback address that nobody listens on at this moment.
func FreePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
