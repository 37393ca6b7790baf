// Package top shows in a terminal what a server does: apps, workers, running requests, how fast
// bytes move, and who keeps whom waiting.
//
// A frame is made of a status and the one before (frame.go); the model keeps what the user has
// selected, and asks before it changes anything (model.go).
package top
