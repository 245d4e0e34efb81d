// Package teststores tells tests where the real stores are.
package teststores

import (
	"os"
	"testing"
)

// URL returns the variable's value; a test without its store fails, since skipping would look like passing.
func URL(t testing.TB, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Fatalf("%s is not set: these tests need real stores (`nox -s services` starts them and sets DATABASE_URL and REDIS_URL)", variable)
	}
	return value
}
