package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// defaultSocket returns where the server and its workers meet when nobody says
// otherwise: a folder of our own if the session has one, else /tmp.
func defaultSocket(getenv func(string) string, name string) string {
	if dir := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, name+".sock")
	}
	return fmt.Sprintf("/tmp/%s-%d.sock", name, os.Getuid())
}
