package ratelimit_test

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/nextai-agent/platform/services/api-gateway/internal/ratelimit"
	"github.com/nextai-agent/platform/services/api-gateway/internal/teststores"
)

// prefix keeps a test's keys apart from everybody else's.
func connect(t *testing.T) (client *redis.Client, prefix string) {
	t.Helper()
	options, err := redis.ParseURL(teststores.URL(t, "REDIS_URL"))
	if err != nil {
		t.Fatal(err)
	}
	client = redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client, "test:" + rand.Text() + ":"
}

func take(t *testing.T, limiter *ratelimit.Limiter, client string) ratelimit.Decision {
	t.Helper()
	decision, err := limiter.Take(context.Background(), client)
	if err != nil {
		t.Fatal(err)
	}
	return decision
}

func TestTheBurstIsLetInAndNotOneMore(t *testing.T) {
	client, prefix := connect(t)
	limiter := ratelimit.New(client, prefix, 1, 5)
	for i := range 5 {
		if d := take(t, limiter, "a"); !d.Allowed || d.Remaining != 4-i || d.Limit != 5 {
			t.Fatalf("request %d: %+v", i+1, d)
		}
	}
	d := take(t, limiter, "a")
	if d.Allowed || d.Remaining != 0 || d.RetryAfter <= 0 || d.RetryAfter > time.Second || d.Reset < 4*time.Second {
		t.Errorf("request 6: %+v", d)
	}
	if !take(t, limiter, "b").Allowed {
		t.Error("another client is counted with the first")
	}
}

func TestWhoWaitsRetryAfterIsLetIn(t *testing.T) {
	client, prefix := connect(t)
	limiter := ratelimit.New(client, prefix, 20, 1)
	take(t, limiter, "a")
	refused := take(t, limiter, "a")
	if refused.Allowed {
		t.Fatal("not refused")
	}
	<-time.After(refused.RetryAfter + time.Millisecond) // the promise under test is about time itself
	if d := take(t, limiter, "a"); !d.Allowed {
		t.Errorf("refused after RetryAfter: %+v", d)
	}
}

func TestTwoGatewaysShareOneLimitExactly(t *testing.T) {
	one, prefix := connect(t)
	two, _ := connect(t)
	const burst, requests = 50, 400
	limiters := []*ratelimit.Limiter{ratelimit.New(one, prefix, 1, burst), ratelimit.New(two, prefix, 1, burst)}
	var (
		allowed atomic.Int64
		wait    sync.WaitGroup
	)
	began := time.Now()
	for i := range requests {
		wait.Go(func() {
			if d, err := limiters[i%2].Take(context.Background(), "a"); err != nil {
				t.Error(err)
			} else if d.Allowed {
				allowed.Add(1)
			}
		})
	}
	wait.Wait()
	// At one request a second, the seconds that this took may have let in one more each.
	most := burst + int64(time.Since(began)/time.Second) + 1
	if got := allowed.Load(); got < burst || got > most {
		t.Errorf("%d of %d let in, want %d to %d", got, requests, burst, most)
	}
}

func TestAClientsKeyGoesAwayByItself(t *testing.T) {
	client, prefix := connect(t)
	limiter := ratelimit.New(client, prefix, 1, 200)
	take(t, limiter, "a")
	left, err := client.PTTL(context.Background(), prefix+"a").Result()
	if err != nil || left <= 0 || left > time.Second+time.Millisecond {
		t.Errorf("the key lives %v, %v; one request at one a second is forgotten after a second", left, err)
	}
}
