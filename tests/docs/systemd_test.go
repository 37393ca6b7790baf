package docs_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// installed is where the units take the program to be, and theirConfig the configuration.
const (
	installed   = "/usr/bin/upload-response"
	theirConfig = "/etc/upload-response/upload-response.yaml"
)

// unitFolder returns a folder with the units and the configuration of docs/systemd, with the program of this checkout
// and files of the test in place of what is installed.
func unitFolder(t *testing.T) (folder, program string) {
	t.Helper()
	if program = os.Getenv("UPLOAD_RESPONSE"); program == "" {
		program = filepath.Join(t.TempDir(), "upload-response")
		build := exec.Command("go", "build", "-buildvcs=false", "-o", program, "./cmd/upload-response")
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", build, err, out)
		}
	}
	folder, err := os.MkdirTemp("", "ur") // a short path, for the socket
	harness.Check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	names, err := filepath.Glob(filepath.Join(root, "docs/systemd/*"))
	harness.Check(t, err)
	if len(names) < 5 {
		t.Fatalf("docs/systemd has %q", names)
	}
	own := strings.NewReplacer(installed, program, theirConfig, folder+"/upload-response.yaml", "%E/upload-response",
		folder, "/run/upload-response", folder, "%t/upload-response", folder)
	for _, name := range names {
		text, err := os.ReadFile(name)
		harness.Check(t, err)
		to := strings.Replace(filepath.Base(name), ".user.service", "-of-a-user.service", 1)
		harness.Check(t, os.WriteFile(filepath.Join(folder, to), []byte(own.Replace(string(text))), 0o600))
	}
	return folder, program
}

// settings returns the values of a setting in a unit, in their order.
func settings(t *testing.T, folder, unit, name string) (values []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, unit))
	harness.Check(t, err)
	for _, m := range regexp.MustCompile(`(?m)^`+name+`=(.*)$`).FindAllStringSubmatch(string(text), -1) {
		values = append(values, m[1])
	}
	return values
}

var option = regexp.MustCompile(`--[a-z0-9-]+`)

func TestTheUnitsOfSystemd(t *testing.T) {
	folder, program := unitFolder(t)
	t.Run("fit the program", func(t *testing.T) { unitsFit(t, folder, program) })
	t.Run("are accepted by systemd", func(t *testing.T) { systemdAccepts(t, folder) })
	t.Run("pass on a socket that the service takes", func(t *testing.T) { serviceTakesSocket(t, folder) })
}

// Each command of the units exists and has the options that it is given; so do the variables, and the configuration is
// one with which the server would start.
func unitsFit(t *testing.T, folder, program string) {
	for _, unit := range []string{"upload-response.service", "upload-response-of-a-user.service"} {
		commands := 0
		for _, line := range settings(t, folder, unit, `Exec\w+`) {
			words := strings.Fields(line)
			help, err := exec.Command(words[0], words[1], "--help-all").CombinedOutput()
			if err != nil { // it has no rare ones
				help, err = exec.Command(words[0], words[1], "--help").CombinedOutput()
			}
			if err != nil {
				t.Fatalf("%s: %q: %v\n%s", unit, line, err, help)
			}
			for _, o := range option.FindAllString(line, -1) {
				if !regexp.MustCompile(o + `\b`).Match(help) {
					t.Errorf("%s: %s has no option %s", unit, words[1], o)
				}
			}
			commands++
		}
		if commands < 2 {
			t.Errorf("%s has %d commands", unit, commands)
		}
		variables := settings(t, folder, unit, "Environment")
		check := exec.Command(program, "check", "--config", folder+"/upload-response.yaml")
		check.Env = append(os.Environ(), variables...)
		if output, err := check.CombinedOutput(); err != nil || strings.Contains(string(output), "warning") {
			t.Errorf("%s: check: %v\n%s", unit, err, output)
		}
	}
}

// systemd knows every setting of the units.
func systemdAccepts(t *testing.T, folder string) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("no systemd-analyze: apt install systemd")
	}
	units, err := filepath.Glob(folder + "/*.s*")
	harness.Check(t, err)
	arguments := append([]string{"verify", "--man=no", "--recursive-errors=no"}, units...)
	verify := exec.Command("systemd-analyze", arguments...)
	output, err := verify.CombinedOutput()
	if err != nil || regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(folder)).Match(output) {
		t.Errorf("systemd-analyze verify %q: %v\n%s", units, err, output)
	}
}

// The service answers on a socket that systemd has opened, and ends in time.
func serviceTakesSocket(t *testing.T, folder string) {
	activate, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skip("no systemd-socket-activate: apt install systemd")
	}
	address := freeAddress(t)
	name := settings(t, folder, "upload-response.socket", "FileDescriptorName")
	if len(name) != 1 {
		t.Fatalf("the socket is named %q", name)
	}
	command := []string{activate, "--listen=" + address, "--fdname=" + name[0]}
	for _, variable := range settings(t, folder, "upload-response.service", "Environment") {
		command = append(command, "--setenv="+variable)
	}
	command = append(command, strings.Fields(settings(t, folder, "upload-response.service", "ExecStart")[0])...)
	service := harness.StartProgram(t, io.Discard, command)
	harness.Eventually(t, "an answer", func() bool {
		response, err := http.Post(fmt.Sprintf("http://%s/", address), "text/plain", strings.NewReader("hello"))
		if err != nil {
			return false
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return err == nil && string(body) == "hello"
	})
	service.Signal(syscall.SIGTERM)
	if status := service.Wait(); status != 0 {
		t.Errorf("exit status %d after SIGTERM", status)
	}
}
