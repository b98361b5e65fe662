from voicecard.cli import main

main()
