// Package contract reads a service's environment as its contract.json says.
package contract

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Contract is what the catalogue says about a service: names, types and defaults of its variables.
type Contract struct {
	Service   string     `json:"service"`
	Port      int        `json:"port"`
	Variables []Variable `json:"variables"`
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

// Parse reads contract.json.
func Parse(document []byte) (Contract, error) {
	var contract Contract
	if err := json.Unmarshal(document, &contract); err != nil {
		return Contract{}, fmt.Errorf("contract.json: %w", err)
	}
	return contract, nil
}

// Invalid is every missing or invalid variable; its text is the one line that a person reads.
type Invalid struct {
	Service  string
	Problems []string
}

func (e Invalid) Error() string {
	return e.Service + ": cannot start: " + strings.Join(e.Problems, "; ")
}

// Load reads the environment through lookup (os.Getenv): the values, or Invalid, which names all that is wrong.
func (c Contract) Load(lookup func(string) string) (Values, error) {
	values, problems := c.Read(lookup)
	if len(problems) > 0 {
		return nil, Invalid{c.Service, problems}
	}
	return values, nil
}

// Read takes every variable from the environment, or its default. An empty value counts as missing. A variable among the problems has
// no value.
func (c Contract) Read(lookup func(string) string) (Values, []string) {
	values, problems := Values{}, []string{}
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

// What the types accept is one specification, with examples that every reader runs: packages/contract/README.md.
var (
	integer  = regexp.MustCompile(`^-?[0-9]{1,15}$`)
	digits   = regexp.MustCompile(`^[0-9]{1,5}$`)
	duration = regexp.MustCompile(`^([0-9]{1,9}(ms|s|m|h|d|w))+$`)
	part     = regexp.MustCompile(`([0-9]+)(ms|s|m|h|d|w)`)
	// White space of any script is none of a URL, and \s is ASCII alone here.
	address = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://(?:[^\s\pZ/?#@]*@)?(?:[^\s\pZ/?#@:\[\]]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(?:[/?#][^\s\pZ]*)?$`)
	units   = map[string]int64{"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
)

const longest = 36_500 * 86_400_000 // milliseconds

// problem says what is wrong with a value, without the value: it may be a secret.
func (v Variable) problem(value string) string {
	if value == "" || (v.Type == "list" && len(items(value)) == 0) {
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
		if !integer.MatchString(value) {
			return "must be a whole number"
		}
	case "port":
		if port, err := strconv.Atoi(value); !isPort(value) || err != nil || port < 1 {
			return "must be a port number, 1 to 65535"
		}
	case "url":
		if match := address.FindStringSubmatch(value); match == nil || (match[1] != "" && !isPort(match[1])) {
			return "must be a URL"
		}
	case "duration":
		if _, good := seconds(value); !good {
			return "must be a duration such as 15m, 12h or 7d"
		}
	case "bool":
		if value != "true" && value != "false" {
			return "must be true or false"
		}
	case "enum":
		if !slices.Contains(v.Values, value) {
			return "must be one of " + strings.Join(v.Values, ", ")
		}
	}
	return ""
}

func isPort(value string) bool {
	port, err := strconv.Atoi(value)
	return digits.MatchString(value) && err == nil && port <= 65535
}

// seconds reads a duration such as 15m or 1h30m, of a second to 36,500 days, in whole seconds.
func seconds(value string) (int64, bool) {
	if !duration.MatchString(value) {
		return 0, false
	}
	var total int64
	for _, match := range part.FindAllStringSubmatch(value, -1) {
		amount, err := strconv.ParseInt(match[1], 10, 64)
		if err != nil || amount*units[match[2]] > longest {
			return 0, false
		}
		total += amount * units[match[2]]
	}
	return total / 1000, total >= 1000 && total <= longest
}

// PortFrom is the port that a service in this environment listens on.
func (c Contract) PortFrom(lookup func(string) string) string {
	if port := lookup("PORT"); port != "" {
		return port
	}
	return strconv.Itoa(c.Port)
}
