package main

func printCounts() {}
