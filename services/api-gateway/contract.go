// Package apigateway holds the gateway's contract: the variables it reads and the routes it serves.
package apigateway

import _ "embed"

// Contract is contract.json, which is derived from the platform's catalogue.
//
//go:embed contract.json
var Contract []byte
