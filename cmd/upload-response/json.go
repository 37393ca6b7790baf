package main

import (
	"encoding/json"
	"io"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
)

// jsonFlags returns --json, which all commands have that print how things are.
func jsonFlags(p *bool) []cli.Group {
	return []cli.Group{{Heading: "Output", Options: []cli.Option{
		{Name: "json", Help: "print JSON, for programs", Parse: cli.Toggle(p)},
	}}}
}

// printJSON writes a value as JSON that people can read, too.
func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}
