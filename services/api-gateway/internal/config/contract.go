// Package config reads the gateway's environment as its contract says.
package config

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Contract is what the catalogue says about this service: names, types and defaults of its variables, and its routes.
type Contract struct {
	Service   string     `json:"service"`
	Port      int        `json:"port"`
	Variables []Variable `json:"variables"`
	Routes    []Route    `json:"routes"`
}

// Variable is one row of the contract.
type Variable struct {
	Name        string   `json:"name"`
	Type        string   `json:"type"`
	Required    bool     `json:"required"`
	Default     *string  `json:"default"`
	Secret      bool     `json:"secret"`
	MinLength   *int     `json:"minLength"`
	Values      []string `json:"values"`
	Description string   `json:"description"`
}

// Route sends a path prefix to the service whose base URL is in the variable URL.
type Route struct {
	Prefix  string `json:"prefix"`
	Service string `json:"service"`
	URL     string `json:"url"`
	Strip   string `json:"strip"`
	Public  bool   `json:"public"`
}

// Parse reads contract.json.
func Parse(document []byte) (Contract, error) {
	var contract Contract
	if err := json.Unmarshal(document, &contract); err != nil {
		return Contract{}, fmt.Errorf("contract.json: %w", err)
	}
	return contract, nil
}

// values takes every variable from the environment, or its default. An empty value counts as missing.
func (c Contract) values(lookup func(string) string) (map[string]string, []string) {
	values, problems := map[string]string{}, []string{}
	for _, variable := range c.Variables {
		value := lookup(variable.Name)
		if value == "" && variable.Default != nil {
			value = *variable.Default
		}
		if problem := variable.problem(value); problem != "" {
			problems = append(problems, variable.Name+" "+problem)
			continue
		}
		values[variable.Name] = value
	}
	return values, problems
}

var duration = regexp.MustCompile(`^[1-9][0-9]*(ms|s|m|h|d)$`)

// problem says what is wrong with a value, without the value: it may be a secret.
func (v Variable) problem(value string) string {
	if value == "" {
		if v.Required {
			return fmt.Sprintf("is required (%s)", v.Description)
		}
		return ""
	}
	if v.MinLength != nil && utf8.RuneCountInString(value) < *v.MinLength {
		return fmt.Sprintf("must have %d characters or more", *v.MinLength)
	}
	switch v.Type {
	case "int":
		if _, err := strconv.Atoi(value); err != nil {
			return "must be a whole number"
		}
	case "port":
		if port, err := strconv.Atoi(value); err != nil || port < 1 || port > 65535 {
			return "must be a port number, 1 to 65535"
		}
	case "url":
		if parsed, err := url.Parse(value); err != nil || parsed.Scheme == "" || parsed.Opaque != "" {
			return "must be a URL"
		}
	case "duration":
		if !duration.MatchString(value) {
			return "must be a duration such as 15m or 7d"
		}
	case "enum":
		if !slices.Contains(v.Values, value) {
			return "must be one of " + strings.Join(v.Values, ", ")
		}
	}
	return ""
}

// PortFrom is the port that a gateway in this environment listens on.
func (c Contract) PortFrom(lookup func(string) string) string {
	if port := lookup("PORT"); port != "" {
		return port
	}
	return strconv.Itoa(c.Port)
}
