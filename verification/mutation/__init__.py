"""Mutation testing of the formulas: which small mistakes in them would the tests notice?"""
