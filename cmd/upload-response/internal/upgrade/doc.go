// Package upgrade has a new process of the program take the place of the one that runs: the
// sockets pass from one to the other, and the old process hears whether the new one has made it.
//
//	old process                                new process
//	   |  Start: descriptors, a pipe each way      |
//	   |------------------------------------------>|  Inherited, Take
//	   |                                  ready    |  it has all that it needs
//	   |<------------------------------------------|  Ready
//	   |  Go: it reads no more from UDP sockets    |
//	   |------------------------------------------>|
//	   |                                  serving  |  it accepts connections
//	   |<------------------------------------------|  Serving
//	   |  it accepts no more, and finishes         |
//
// In place of ready or serving the new process can say why it gives up. A process that ends has
// closed its pipe.
package upgrade
