"""The pin map of ESP32-S3-DevKitC-1. Made of its file in hardware/: change that, or this copy on your card."""

from micropython import const

MIC_SCK_PIN = const(5)
MIC_WS_PIN = const(6)
MIC_SD_PIN = const(4)
DISPLAY_SDA_PIN = const(8)
DISPLAY_SCL_PIN = const(9)
KEY_PINS = {"rec": 1, "memo": 2}
BATTERY_PIN = 7  # through the divider, on ADC1
BATTERY_DIVIDER = const(2)
SIGNAL_PIN = 11  # an LED to ground, or a vibration motor by a transistor
CABLE_PIN = 10  # a transistor pulls it low while the cable brings power
