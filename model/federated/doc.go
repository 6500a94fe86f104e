// Package federated holds methods that prune where the data stays with those who have it:
// a server and its clients, which tell each other masks, weights that are kept, and
// statistics, and never a sample.
//
// What they say is plain data (Broadcast, Statistics, Loss, Update) with a binary form; a
// Link carries it. A Client answers, a Server asks; neither knows what stands between.
package federated
