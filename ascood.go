// Package ascood holds what every other package of the system shares: the one
// error type whose code says how a failure is to be treated, be it by an exit
// status or by an HTTP status.
//
// The system itself is in the folders beside this file; ARCHITECTURE.md is the way
// through them.
package ascood

// Version is that of the module; CHANGELOG.md says what each brought.
const Version = "0.1.0"
