package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/nextai-agent/platform/packages/service-kit-go/contract"
	apigateway "github.com/nextai-agent/platform/services/api-gateway"
	"github.com/nextai-agent/platform/services/api-gateway/internal/config"
)

func good() map[string]string {
	environment := map[string]string{
		"DATABASE_URL":       "postgresql://nextai:pa%20ss@db:5432/nextai_agent",
		"REDIS_URL":          "redis://:secret@redis:6379/0",
		"JWT_SECRET":         strings.Repeat("k", 32),
		"USER_SERVICE_URL":   "http://user-service:8082",
		"MEMORY_SERVICE_URL": "http://memory-service:8090",
		"CORS_ORIGINS":       "https://app.nextai-agent.com, http://localhost:13000",
	}
	for _, route := range routes() {
		if environment[route.URL] == "" {
			environment[route.URL] = "http://" + route.Service
		}
	}
	return environment
}

func routes() []config.Route {
	known, err := config.Parse(apigateway.Contract)
	if err != nil {
		panic(err)
	}
	return known.Routes
}

func load(t *testing.T, environment map[string]string) (config.Config, error) {
	t.Helper()
	known, err := config.Parse(apigateway.Contract)
	if err != nil {
		t.Fatal(err)
	}
	return config.Load(known, func(name string) string { return environment[name] })
}

func TestDefaultsComeFromTheContract(t *testing.T) {
	cfg, err := load(t, good())
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Address != "0.0.0.0:8080" || cfg.RequestsPerSec != 100 || cfg.Burst != 200 || cfg.LogFormat != "json" || len(cfg.TrustedProxies) != 0 {
		t.Errorf("got %+v", cfg)
	}
	if len(cfg.Upstreams) != len(routes()) || cfg.Upstreams[0].Base.Host != "user-service:8082" {
		t.Errorf("upstreams: %+v", cfg.Upstreams)
	}
	if strings.Join(cfg.Origins, " ") != "https://app.nextai-agent.com http://localhost:13000" {
		t.Errorf("origins: %q", cfg.Origins)
	}
}

func TestEveryMissingVariableIsNamedInOneLine(t *testing.T) {
	_, err := load(t, map[string]string{"JWT_SECRET": "", "LOG_LEVEL": ""})
	var invalid contract.Invalid
	if !errors.As(err, &invalid) {
		t.Fatalf("got %v", err)
	}
	line := err.Error()
	if strings.Contains(line, "\n") || !strings.HasPrefix(line, "api-gateway: cannot start: DATABASE_URL is required (PostgreSQL connection string); ") {
		t.Errorf("not the one line: %q", line)
	}
	for _, name := range []string{"DATABASE_URL", "REDIS_URL", "JWT_SECRET", "USER_SERVICE_URL", "MEMORY_SERVICE_URL", "CORS_ORIGINS"} {
		if strings.Count(line, name) != 1 {
			t.Errorf("%s is not named once in %q", name, line)
		}
	}
}

func TestInvalidValuesAreNamedAndSecretsAreNotShown(t *testing.T) {
	for variable, wrong := range map[string]string{
		"DATABASE_URL":       "postgresql://nextai:hunter2@db:notaport/x",
		"REDIS_URL":          "http://:hunter2@redis",
		"JWT_SECRET":         "hunter2",
		"PORT":               "70000",
		"LOG_LEVEL":          "loud",
		"LOG_FORMAT":         "xml",
		"RATE_LIMIT_RPS":     "0",
		"RATE_LIMIT_BURST":   "many",
		"TRUSTED_PROXIES":    "10.0.0.0/8,nonsense",
		"CORS_ORIGINS":       "*",
		"USER_SERVICE_URL":   "user-service:8082",
		"MEMORY_SERVICE_URL": "ftp://memory-service",
	} {
		t.Run(variable, func(t *testing.T) {
			environment := good()
			environment[variable] = wrong
			_, err := load(t, environment)
			if err == nil || strings.Count(err.Error(), variable) != 1 {
				t.Fatalf("%s=%s: %v", variable, wrong, err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the secret is shown: %v", err)
			}
		})
	}
}

func TestAnOriginWithAPathIsRefused(t *testing.T) {
	environment := good()
	environment["CORS_ORIGINS"] = "https://app.nextai-agent.com/"
	if _, err := load(t, environment); err == nil {
		t.Error("accepted: no browser sends such an origin")
	}
}

func TestEveryFieldOfTheContractIsRead(t *testing.T) {
	decoder := json.NewDecoder(bytes.NewReader(apigateway.Contract))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&config.Contract{}); err != nil {
		t.Error(err)
	}
}
