package docs_test

import (
	"os/exec"
	"strings"
	"testing"
)

// notRun are lines of docs/admin.md that cannot be run here, and why.
var notRun = map[string]string{
	"upload-response top": "it needs a terminal; cmd/upload-response tests it on one",
}

// goesOn reports whether a command follows the server until it is interrupted.
func goesOn(line string) bool {
	return strings.Contains(line, "--follow") || strings.HasPrefix(line, "upload-response web") ||
		strings.Contains(line, " serve ")
}

func TestTheConsoleBlocksOfTheAdminPageWork(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl: apt install curl")
	}
	programs := buildPrograms(t)
	own, third, admin := freeAddress(t), freeAddress(t), freeAddress(t)
	sh := newShell(t, programs, &scene{stands: []string{"127.0.0.1:8081", own, "127.0.0.1:8082", third,
		"127.0.0.1:9180", admin}})
	ready := "curl --unix-socket /tmp/ur.sock.admin http://localhost/readyz"
	run := 0
	for i, block := range consoleBlocks(read(t, "docs/admin.md")) {
		if i == 1 {
			sh.do(ready) // until the workers are there
		}
		for _, line := range block {
			line, _, _ = strings.Cut(line, " #")
			line = strings.TrimSpace(line)
			switch why := notRun[line]; {
			case why != "":
				t.Logf("%s: not run, because %s", line, why)
			case goesOn(line):
				sh.start(line)
			default:
				sh.do(line)
				run++
			}
		}
	}
	if run < 20 {
		t.Errorf("only %d lines were run", run)
	}
}
