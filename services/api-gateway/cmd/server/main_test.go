package main_test

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/nextai-agent/platform/packages/service-kit-go/servicetest"
	apigateway "github.com/nextai-agent/platform/services/api-gateway"
	"github.com/nextai-agent/platform/services/api-gateway/internal/config"
	"github.com/nextai-agent/platform/services/api-gateway/internal/teststores"
)

func TestTheProgram(t *testing.T) {
	binary := servicetest.Build(t)

	t.Run("without its variables names them all in one line and exits 2", func(t *testing.T) {
		code, line := servicetest.Ended(t, []string{"JWT_SECRET=hunter2"}, binary)
		if code != 2 || strings.Count(line, "\n") != 1 || !strings.Contains(line, "REDIS_URL is required") ||
			!strings.Contains(line, "JWT_SECRET must have 32 characters or more") || strings.Contains(line, "hunter2") {
			t.Errorf("exit %d: %q", code, line)
		}
	})

	t.Run("serves, answers its own health check, and ends cleanly on SIGTERM", func(t *testing.T) {
		port := servicetest.FreePort(t)
		command := exec.Command(binary)
		command.Env = []string{
			"HOST=127.0.0.1", "PORT=" + port, "JWT_SECRET=" + strings.Repeat("k", 32), "CORS_ORIGINS=http://localhost:13000",
			"DATABASE_URL=" + teststores.URL(t, "DATABASE_URL"), "REDIS_URL=" + teststores.URL(t, "REDIS_URL"),
		}
		contract, err := config.Parse(apigateway.Contract)
		if err != nil {
			t.Fatal(err)
		}
		for _, route := range contract.Routes {
			command.Env = append(command.Env, route.URL+"=http://127.0.0.1:1")
		}
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() || !regexp.MustCompile(`"msg":"listening"`).MatchString(lines.Text()) {
			t.Fatalf("first line: %s", lines.Text())
		}
		for path, want := range map[string]int{"": 0, "/health/ready": 0, "/nothing": 1} {
			if code, _ := servicetest.Ended(t, []string{"PORT=" + port}, binary, "-healthcheck", path); code != want {
				t.Errorf("-healthcheck %s: exit %d", path, code)
			}
		}
		if err := command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // to the end of the output
		}
		if code := servicetest.Code(command.Wait()); code != 0 {
			t.Errorf("exit %d after SIGTERM", code)
		}
	})

	t.Run("health check of nothing fails", func(t *testing.T) {
		if code, _ := servicetest.Ended(t, []string{"PORT=1"}, binary, "-healthcheck"); code != 1 {
			t.Errorf("exit %d", code)
		}
	})

	if info, err := os.Stat(binary); err == nil {
		t.Logf("binary: %d MB with symbols", info.Size()>>20)
	}
}
