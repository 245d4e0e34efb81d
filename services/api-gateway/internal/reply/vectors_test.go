package reply

import (
	"encoding/json"
	"maps"
	"os"
	"testing"
)

func TestAStatusHasTheCodeOfEveryStack(t *testing.T) {
	text, err := os.ReadFile("../../../../packages/contract/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct{ Errors map[int]string }
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(codes, vectors.Errors) {
		t.Errorf("got  %v\nwant %v", codes, vectors.Errors)
	}
}
