package auth

import (
	"encoding/json"
	"os"
	"testing"
)

func TestAUserIsNamedInTheOneFormThatEveryStackTakes(t *testing.T) {
	text, err := os.ReadFile("../../../../packages/contract/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Users struct{ Accepted, Refused []string }
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors.Users.Accepted) == 0 || len(vectors.Users.Refused) == 0 {
		t.Fatal("there is nothing to try")
	}
	for want, ids := range map[bool][]string{true: vectors.Users.Accepted, false: vectors.Users.Refused} {
		for _, id := range ids {
			if got := uuid.MatchString(id); got != want {
				t.Errorf("%q: %v", id, got)
			}
		}
	}
}
