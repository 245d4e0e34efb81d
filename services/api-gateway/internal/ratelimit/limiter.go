// Package ratelimit bounds how many requests one client makes, over all gateways together.
package ratelimit

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed gcra.lua
var source string

// Limiter counts clients in Redis. One script does a whole decision, so gateways never race.
type Limiter struct {
	redis  redis.Scripter
	script *redis.Script
	prefix string
	rps    int
	burst  int
}

// New makes a limiter of rps requests a second and burst at once. Keys begin with prefix.
func New(client redis.Scripter, prefix string, rps, burst int) *Limiter {
	return &Limiter{client, redis.NewScript(source), prefix, rps, burst}
}

// Decision says whether one request is let in, and what the client may do next.
type Decision struct {
	Allowed    bool
	Limit      int
	Remaining  int
	RetryAfter time.Duration // until one request is let in; 0 if this one was
	Reset      time.Duration // until the whole burst is there again
}

// Take asks for one request of the client.
func (l *Limiter) Take(ctx context.Context, client string) (Decision, error) {
	answer, err := l.script.Run(ctx, l.redis, []string{l.prefix + client}, l.rps, l.burst).Int64Slice()
	if err != nil {
		return Decision{}, fmt.Errorf("rate limit: %w", err)
	}
	return Decision{
		Allowed:    answer[0] == 1,
		Limit:      l.burst,
		Remaining:  int(answer[1]),
		RetryAfter: time.Duration(answer[2]) * time.Microsecond,
		Reset:      time.Duration(answer[3]) * time.Microsecond,
	}, nil
}
