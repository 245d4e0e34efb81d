package contract

import (
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"
)

// Values are the variables of a contract, each checked by its type; an optional one without a value is "".
type Values map[string]string

// Address is the host:port to listen on.
func (v Values) Address() string { return net.JoinHostPort(v["HOST"], v["PORT"]) }

// Level is the least severe level that is logged.
func (v Values) Level() slog.Level {
	switch v["LOG_LEVEL"] {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	}
	return slog.LevelInfo
}

// Int is the value of a variable of the type int or port; 0 where it has none.
func (v Values) Int(name string) int {
	value, _ := strconv.Atoi(v[name]) // the contract has checked it
	return value
}

// Duration is the value of a variable of the type duration, in whole seconds; 0 where it has none.
func (v Values) Duration(name string) time.Duration {
	value, _ := seconds(v[name])
	return time.Duration(value) * time.Second
}

// Bool is the value of a variable of the type bool; false where it has none.
func (v Values) Bool(name string) bool { return v[name] == "true" }

// List is the value of a variable of the type list.
func (v Values) List(name string) []string { return items(v[name]) }

// items are those of a list, without the spaces and tabs around them; empty ones do not count.
func items(value string) []string {
	var found []string
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.Trim(item, " \t"); item != "" {
			found = append(found, item)
		}
	}
	return found
}
