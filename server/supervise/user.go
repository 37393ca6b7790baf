package supervise

// User is the user that the processes of an app run as.
type User struct {
	UID, GID   uint32
	Groups     []uint32 // besides GID
	Name, Home string   // empty: unknown
}
