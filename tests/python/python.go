// Package python runs the Python programs of tests with the SDK of this checkout:
// nothing has to be installed.
package python

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/wavey-ai/upload-response/tests/cbuild"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// SDK is the folder of the Python SDK, from the folder of a test package.
const SDK = "../../sdk/python"

// Find returns a Python that the SDK supports: what PYTHON names, if that is set,
// else the first there is, or "".
func Find() string {
	for _, name := range []string{os.Getenv("PYTHON"), "python3", "python"} {
		if path, err := exec.LookPath(name); name != "" && err == nil &&
			exec.Command(path, "-c", "import sys; sys.exit(sys.version_info < (3, 9))").Run() == nil {
			return path
		}
	}
	return ""
}

// Has reports whether that Python has a module.
func Has(module string) bool {
	path := Find()
	return path != "" && exec.Command(path, "-c", "import "+module).Run() == nil
}

// Program returns the command that runs a file of the SDK, and the variables that
// it needs. It skips the test if there is no Python, or no C compiler.
func Program(t testing.TB, file string) (command, env []string) {
	t.Helper()
	interpreter := Find()
	if interpreter == "" {
		t.Skip("no Python 3.9 or later: install python3, or set PYTHON")
	}
	source, err := filepath.Abs(filepath.Join(SDK, "src"))
	harness.Check(t, err)
	return []string{interpreter, filepath.Join(SDK, file)},
		[]string{"PYTHONPATH=" + source, "UPLOAD_RESPONSE_LIBRARY=" + cbuild.Library(t), "PYTHONDONTWRITEBYTECODE=1"}
}
