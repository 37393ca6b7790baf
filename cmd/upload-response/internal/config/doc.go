// Package config is the configuration file of the server: what can stand in it, how it is read
// strictly, where each value comes from, and what is different between two of them.
//
// The comments of the types with yaml tags are the documentation for users: of
// docs/configuration.md, and of the JSON schema that editors read.
package config
