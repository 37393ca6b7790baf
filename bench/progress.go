package bench

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// progress shows what is being measured, on a line that the next one replaces; with
// an empty format it clears the line. What is not a terminal gets nothing.
func (o *Options) progress(format string, args ...any) {
	if file, ok := o.Progress.(*os.File); ok && isTerminal(file) {
		fmt.Fprintf(file, "\r\x1b[K"+format, args...)
	}
}

func isTerminal(file *os.File) bool {
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err == nil
}
