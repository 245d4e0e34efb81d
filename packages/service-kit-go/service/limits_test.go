package service

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/nextai-agent/platform/packages/service-kit-go/health"
)

func TestLimitsAreThoseOfEveryStack(t *testing.T) {
	text, err := os.ReadFile("../../contract/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Limits struct{ RequestMs, ReadinessMs, DrainMs, FarewellMs int64 }
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	for name, limit := range map[string]struct {
		own  time.Duration
		want int64
	}{
		"request":   {Work, vectors.Limits.RequestMs},
		"readiness": {health.Timeout, vectors.Limits.ReadinessMs},
		"drain":     {drainLimit, vectors.Limits.DrainMs},
		"farewell":  {shutdown, vectors.Limits.FarewellMs},
	} {
		if limit.own.Milliseconds() != limit.want {
			t.Errorf("%s: %s, want %d ms", name, limit.own, limit.want)
		}
	}
}
