package server

// Name and Version are what the server calls itself.
const (
	Name    = "upload-response"
	Version = "0.1.0"
)
