package config

import _ "embed"

// Schema is the JSON schema of the file, which editors read. It is made from the types of this
// package, and their comments: go test -run TestTheSchemaIsThatOfTheTypes -update.
//
//go:embed schema.json
var Schema string
