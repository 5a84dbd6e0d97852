"""master/deploy"""
