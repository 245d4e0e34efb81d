// Package config reads the gateway's environment as its contract says.
package config

import (
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/nextai-agent/platform/packages/service-kit-go/contract"
)

// Config is the environment, checked and typed.
type Config struct {
	Service        string
	Address        string // host:port to listen on
	LogLevel       slog.Level
	LogFormat      string // json or text
	Database       *pgxpool.Config
	Redis          *redis.Options
	JWTSecret      []byte
	Origins        []string
	RequestsPerSec int
	Burst          int
	TrustedProxies []netip.Prefix
	Upstreams      []Upstream
}

// Upstream is a route with the base URL of its service.
type Upstream struct {
	Route
	Base *url.URL
}

// Load reads the environment through lookup (os.Getenv) and returns contract.Invalid, naming all that is wrong, or the configuration.
func Load(known Contract, lookup func(string) string) (Config, error) {
	values, problems := known.Read(lookup)
	reader := reader{values: values, problems: problems}
	config := Config{
		Service:        known.Service,
		Address:        values.Address(),
		LogLevel:       values.Level(),
		LogFormat:      values["LOG_FORMAT"],
		Database:       reader.database("DATABASE_URL"),
		Redis:          reader.redis("REDIS_URL"),
		JWTSecret:      []byte(values["JWT_SECRET"]),
		Origins:        reader.origins("CORS_ORIGINS"),
		RequestsPerSec: reader.positive("RATE_LIMIT_RPS"),
		Burst:          reader.positive("RATE_LIMIT_BURST"),
		TrustedProxies: reader.networks("TRUSTED_PROXIES"),
		Upstreams:      reader.upstreams(known.Routes),
	}
	if len(reader.problems) > 0 {
		return Config{}, contract.Invalid{Service: known.Service, Problems: reader.problems}
	}
	return config, nil
}

// reader turns checked text into typed values and collects what the contract's types cannot say.
// A variable that is already among the problems has no value here and is passed over.
type reader struct {
	values   contract.Values
	problems []string
}

func (r *reader) wrong(name, problem string) { r.problems = append(r.problems, name+" "+problem) }

// The parse errors of the connection strings are not printed: they quote the string, password included.
func (r *reader) database(name string) *pgxpool.Config {
	if r.values[name] == "" {
		return nil
	}
	parsed, err := pgxpool.ParseConfig(r.values[name])
	if err != nil {
		r.wrong(name, "must be a PostgreSQL connection string")
	}
	return parsed
}

func (r *reader) redis(name string) *redis.Options {
	if r.values[name] == "" {
		return nil
	}
	parsed, err := redis.ParseURL(r.values[name])
	if err != nil {
		r.wrong(name, "must be a Redis connection string")
	}
	return parsed
}

func (r *reader) positive(name string) int {
	value, err := strconv.Atoi(r.values[name])
	if err == nil && (value < 1 || value > 1_000_000) {
		r.wrong(name, "must be between 1 and 1000000")
	}
	return value
}

func (r *reader) origins(name string) []string {
	origins := r.values.List(name)
	for _, origin := range origins {
		parsed, err := url.Parse(origin)
		if err != nil || parsed.Host == "" || origin != parsed.Scheme+"://"+parsed.Host || strings.Contains(origin, "*") {
			r.wrong(name, fmt.Sprintf("must hold origins such as https://app.example.com, not %q", origin))
		}
	}
	return origins
}

func (r *reader) networks(name string) []netip.Prefix {
	var networks []netip.Prefix
	for _, item := range r.values.List(name) {
		network, err := netip.ParsePrefix(item)
		if address, bare := netip.ParseAddr(item); err != nil && bare == nil {
			network, err = address.Prefix(address.BitLen())
		}
		if err != nil {
			r.wrong(name, fmt.Sprintf("must hold networks such as 10.0.0.0/8, not %q", item))
			continue
		}
		networks = append(networks, network.Masked())
	}
	return networks
}

func (r *reader) upstreams(routes []Route) []Upstream {
	var upstreams []Upstream
	wrong := map[string]bool{}
	for _, route := range routes {
		if r.values[route.URL] == "" {
			continue
		}
		base, err := url.Parse(r.values[route.URL])
		if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
			if !wrong[route.URL] {
				r.wrong(route.URL, "must be an http or https URL")
			}
			wrong[route.URL] = true
			continue
		}
		upstreams = append(upstreams, Upstream{route, base})
	}
	return upstreams
}
