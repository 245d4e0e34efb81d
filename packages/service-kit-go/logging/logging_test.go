package logging_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/nextai-agent/platform/packages/service-kit-go/logging"
)

func TestALineIsAsInEveryStack(t *testing.T) {
	text, err := os.ReadFile("../../contract/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		LogText struct {
			Msg, Line string
			Fields    struct {
				Path, Note, Empty string
				Status            int
			}
		}
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	want, fields := vectors.LogText, vectors.LogText.Fields
	for _, format := range []string{"json", "text"} {
		var out bytes.Buffer
		logging.New(&out, slog.LevelInfo, format, "some-service").Warn(want.Msg, "path", fields.Path, "status", fields.Status, "note", fields.Note, "empty", fields.Empty)
		line := strings.TrimSuffix(out.String(), "\n")
		if !regexp.MustCompile(`^({"time":"|time=)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`).MatchString(line) {
			t.Errorf("not the time of every stack: %s", line)
		}
		if _, rest, _ := strings.Cut(line, " "); format == "text" && rest != want.Line {
			t.Errorf("got  %s\nwant %s", rest, want.Line)
		}
	}
}
