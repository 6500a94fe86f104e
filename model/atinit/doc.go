// Package atinit holds methods that choose masks before training, at initialisation,
// and train what is left with the masks held.
package atinit
