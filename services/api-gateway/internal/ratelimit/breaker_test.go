package ratelimit

import (
	"testing"
	"time"
)

func TestTheBreakerPausesAfterSeveralFailuresAndThenAsksOnce(t *testing.T) {
	var b breaker
	now := time.Now()
	for i := range tripAfter {
		if b.open(now) {
			t.Fatalf("open after %d failures", i)
		}
		if said := b.failed(now); said != (i == 0) {
			t.Errorf("failure %d: said %v", i+1, said)
		}
	}
	if !b.open(now) {
		t.Error("not open")
	}
	later := now.Add(pause)
	if b.open(later) || !b.open(later) {
		t.Error("after the pause exactly one request asks")
	}
	b.succeeded()
	if b.open(later) {
		t.Error("open though Redis answers")
	}
	if !b.failed(now.Add(reminder)) {
		t.Error("the log is not reminded")
	}
}

func TestOneSuccessForgetsFailures(t *testing.T) {
	var b breaker
	now := time.Now()
	for range 3 * tripAfter {
		b.failed(now)
		b.succeeded()
	}
	if b.open(now) {
		t.Error("open")
	}
}
