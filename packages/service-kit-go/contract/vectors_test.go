package contract

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"testing"
)

type vector struct {
	Variable
	Given   string
	Reads   any
	Problem string
}

// value is what this reader makes of a text that has no problem.
func (v vector) value() any {
	values := Values{"V": v.Given}
	switch v.Type {
	case "int", "port":
		return float64(values.Int("V"))
	case "duration":
		return values.Duration("V").Seconds()
	case "bool":
		return values.Bool("V")
	case "list":
		found := []any{}
		for _, item := range values.List("V") {
			found = append(found, item)
		}
		return found
	}
	return v.Given
}

func TestTheContractIsReadAsByEveryReader(t *testing.T) {
	text, err := os.ReadFile("../../contract/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Values []vector }
	if err := json.Unmarshal(text, &document); err != nil || len(document.Values) == 0 {
		t.Fatalf("%d vectors, %v", len(document.Values), err)
	}
	for _, vector := range document.Values {
		t.Run(fmt.Sprintf("%s %q", vector.Type, vector.Given), func(t *testing.T) {
			vector.Description = "what it is"
			if problem := vector.problem(vector.Given); problem != vector.Problem {
				t.Fatalf("got %q, want %q", problem, vector.Problem)
			}
			if vector.Problem == "" && !reflect.DeepEqual(vector.value(), vector.Reads) {
				t.Errorf("read as %#v, want %#v", vector.value(), vector.Reads)
			}
		})
	}
}
