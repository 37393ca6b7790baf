package worker

// Version is the version of this SDK, as the server's log names it.
const Version = "0.1.0"
