package config

import (
	"encoding/json"
	"fmt"

	"github.com/nextai-agent/platform/packages/service-kit-go/contract"
)

// Contract is what the catalogue says about the gateway: its variables, and the routes that it serves.
type Contract struct {
	contract.Contract
	Routes []Route `json:"routes"`
}

// Route sends a path prefix to the service whose base URL is in the variable URL.
type Route struct {
	Prefix  string `json:"prefix"`
	Service string `json:"service"`
	URL     string `json:"url"`
	Strip   string `json:"strip"`
	Public  bool   `json:"public"`
	Stream  bool   `json:"stream"` // the answer is passed on while it is made
}

// Parse reads contract.json.
func Parse(document []byte) (Contract, error) {
	var found Contract
	if err := json.Unmarshal(document, &found); err != nil {
		return Contract{}, fmt.Errorf("contract.json: %w", err)
	}
	return found, nil
}
