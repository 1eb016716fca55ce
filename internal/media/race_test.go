//go:build race

package media

// underRace: the race detector keeps the compiler from putting on the stack what
// it puts there otherwise, in packages that are not ours.
const underRace = true
