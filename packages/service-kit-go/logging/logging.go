// Package logging makes the service's logger: one line per event on stdout, with the platform's keys.
package logging

import (
	"context"
	"io"
	"log/slog"
	"strings"

	"github.com/nextai-agent/platform/packages/service-kit-go/requestid"
)

// New makes a logger of the given level and format (json or text) that names the service and, inside a request, its id.
func New(out io.Writer, level slog.Level, format, service string) *slog.Logger {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: platformKeys}
	var handler slog.Handler = slog.NewJSONHandler(out, options)
	if format == "text" {
		handler = slog.NewTextHandler(out, options)
	}
	return slog.New(withRequestID{handler}).With("service", service)
}

// platformKeys writes levels as LOG_LEVEL names them, and times as every stack does: UTC, in milliseconds.
func platformKeys(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return attr
	}
	switch attr.Key {
	case slog.LevelKey:
		attr.Value = slog.StringValue(strings.ToLower(attr.Value.String()))
	case slog.TimeKey:
		attr.Value = slog.StringValue(attr.Value.Time().UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	return attr
}

type withRequestID struct{ slog.Handler }

func (h withRequestID) Handle(ctx context.Context, record slog.Record) error {
	if id := requestid.From(ctx); id != "" {
		record.AddAttrs(slog.String("requestId", id))
	}
	return h.Handler.Handle(ctx, record)
}

func (h withRequestID) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withRequestID{h.Handler.WithAttrs(attrs)}
}

func (h withRequestID) WithGroup(name string) slog.Handler {
	return withRequestID{h.Handler.WithGroup(name)}
}
