package ratelimit

import (
	"sync"
	"time"
)

// breaker leaves a failing Redis alone for a while. One slow answer trips nothing: a client that could make Redis slow for a
// moment would have switched its own limit off.
type breaker struct {
	lock     sync.Mutex
	failures int // one after the other
	until    time.Time
	remind   time.Time
}

// open tells whether Redis is not to be asked now. When the pause is over one request asks, and the others go on waiting for its answer.
func (b *breaker) open(now time.Time) bool {
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.failures < tripAfter {
		return false
	}
	if now.Before(b.until) {
		return true
	}
	b.until = now.Add(timeout + pause)
	return false
}

func (b *breaker) succeeded() {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.failures = 0
}

// failed counts a failure, and tells whether it is time for a line in the log.
func (b *breaker) failed(now time.Time) (say bool) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.failures++
	b.until = now.Add(pause)
	if say = !now.Before(b.remind); say {
		b.remind = now.Add(reminder)
	}
	return say
}
