package limits

import (
	"encoding/json"
	"maps"
	"os"
	"testing"
)

func TestLimitsAreThoseOfEveryStack(t *testing.T) {
	text, err := os.ReadFile("../../contract/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct{ Limits map[string]int64 }
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	own := map[string]int64{
		"pageMs": Page.Milliseconds(), "gatewayMs": Gateway.Milliseconds(), "requestMs": Request.Milliseconds(),
		"storeMs": Store.Milliseconds(), "silenceMs": Silence.Milliseconds(), "optionalMs": Optional.Milliseconds(),
		"readinessMs": Readiness.Milliseconds(), "pageIdleMs": PageIdle.Milliseconds(), "gatewayIdleMs": GatewayIdle.Milliseconds(), "heartbeatMs": Heartbeat.Milliseconds(),
		"drainMs": Drain.Milliseconds(), "farewellMs": Farewell.Milliseconds(), "bodyBytes": Body,
	}
	if !maps.Equal(own, vectors.Limits) {
		t.Errorf("got  %v\nwant %v", own, vectors.Limits)
	}
}
